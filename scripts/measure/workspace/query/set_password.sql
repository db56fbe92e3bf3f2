alter role :"role" password :'password'
